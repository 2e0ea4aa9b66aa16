# What stands in for apache/airflow where no registry can be reached: the same Airflow and the providers that
# docker/compose.yaml needs; user, folders and entrypoint as there.
FROM ims-test/debian
RUN useradd --uid 50000 --gid 0 --create-home airflow \
    && install --directory --owner=airflow --group=0 --mode=0775 /opt/airflow /opt/airflow/dags /opt/airflow/logs
ENV AIRFLOW_HOME=/opt/airflow PATH=/home/airflow/.local/bin:$PATH
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1
USER airflow
COPY requirements-cluster.lock /tmp/requirements.lock
RUN python3 -m venv /home/airflow/.local \
    && pip install --quiet --no-cache-dir --no-deps --requirement /tmp/requirements.lock
COPY --chmod=0755 tests/docker/entrypoint.sh /entrypoint
WORKDIR /opt/airflow
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]
