"""What every model value rests on: checked arrays, canonical content and its hash, checked text."""
