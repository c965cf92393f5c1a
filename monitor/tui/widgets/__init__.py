"""The parts of the screens; they draw what the view-model knows and decide nothing."""
