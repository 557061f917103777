"""What a person may type into the pages of automation."""
