"""What one tests and looks with: imported by nothing in the framework, it may import everything."""
