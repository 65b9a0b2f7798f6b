"""Instruction following: replies held against instructions that rules check."""
