"""A plan on hosts without Kubernetes: systemd units, compose files, llama-swap configurations."""
