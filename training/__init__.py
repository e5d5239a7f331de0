"""Programs that train the models Puna ships; nothing here is imported by the package."""
