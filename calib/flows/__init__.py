"""One file per sentence that a user says: what happens, in order, on one screen."""
