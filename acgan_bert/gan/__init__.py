"""Networks and their game; knows neither text nor files."""
