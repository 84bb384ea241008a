"""What is measured before anything is trained, and the first opinion that it leads to."""
