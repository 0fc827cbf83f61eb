"""What made words are worth: how well they are read, how near real ones they are, in how many hands."""
