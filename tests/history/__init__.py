"""What is kept between runs and processes."""
