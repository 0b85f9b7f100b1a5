"""Steps of the tasks that give a value per look: text that is read, lamps, pages, modules of people's own."""
