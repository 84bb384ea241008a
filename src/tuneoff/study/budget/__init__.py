"""What a study will take on this machine, what its budget holds, and what it took in the end."""
