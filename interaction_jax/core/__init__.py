"""The words of the house: dimensions, arrays, settings. Knows no model."""
