"""A FastAPI app as people have it: six small services, twelve routes that stream."""
