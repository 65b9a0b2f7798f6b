"""The slower model beside a conversation, and what it can do."""
