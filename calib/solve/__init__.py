"""Pure numerics: from observed reflections to panel corrections. Nothing here opens a file."""
