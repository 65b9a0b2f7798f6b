"""Operations: arrays in, arrays out; nothing here knows a model."""
