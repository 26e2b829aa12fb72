"""Looking at faces in a browser and saying what is right: the way to labels.csv."""
