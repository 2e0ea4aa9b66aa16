"""``airflow ims``: the provider's commands within Airflow's own command line."""
