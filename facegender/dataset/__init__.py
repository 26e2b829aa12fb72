"""Reading labelled photos from folders or files, and writing faces.csv."""
