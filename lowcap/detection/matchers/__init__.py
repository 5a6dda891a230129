"""Named rule shapes that a trigger table selects and parameterises."""
