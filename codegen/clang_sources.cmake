# Appends to ${sources}.
