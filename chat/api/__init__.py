"""The HTTP face. For now who is let in (`gate`) and what every answer carries (`safety`)."""
