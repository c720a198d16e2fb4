"""What a server sent, and what it says: whole, cut, refused, failed, an object, thoughts."""
