"""What tests share: scripted servers, the command, texts, stores."""
