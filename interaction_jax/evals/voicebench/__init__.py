"""VoiceBench: spoken requests of many kinds, in one layout."""
