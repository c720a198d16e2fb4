"""How texts are read, of users and of models."""
