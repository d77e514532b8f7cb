"""The HTTP face. For now what every answer of this process carries (`safety`)."""
