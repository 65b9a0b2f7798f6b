"""What goes out: text, and later gate and voice."""
