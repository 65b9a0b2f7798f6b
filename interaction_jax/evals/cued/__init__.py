"""TimeSpeak and CueSpeak, rebuilt: speaking at a time, and at a cue."""
