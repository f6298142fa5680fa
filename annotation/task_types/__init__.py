"""What people are asked for: a file a task type, and the registry that lists them. CORE: knows no Django."""
