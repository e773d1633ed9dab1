"""What the verbs of the command line do, each importing what it needs when it is called."""
