# What stands in for the official images of PostgreSQL and Redis: Debian's packages, an entrypoint as theirs.
FROM ims-test/debian
RUN for program in initdb pg_ctl postgres; do ln -s /usr/lib/postgresql/*/bin/$program /usr/local/bin/; done
COPY --chmod=0755 tests/docker/services-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
