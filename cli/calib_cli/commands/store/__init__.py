"""Commands that create, check and maintain a store."""
