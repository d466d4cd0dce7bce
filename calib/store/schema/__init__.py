"""Tables, triggers, schema revisions, and compatibility between program versions."""
