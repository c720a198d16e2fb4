# `apr serve`, OpenAI's API, in a container; `apr worker` runs in it, too. The server wants APR_TOKENS; keys come with
# the environment and are in no layer.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY constraints.txt LICENSE README.md pyproject.toml ./
RUN python -m venv /opt/apr \
    && /opt/apr/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt setuptools
COPY graphs graphs
COPY nodes nodes
COPY prompts prompts
# What builds the package is pinned, too.
RUN /opt/apr/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation -c constraints.txt \
    '.[deepseek,postgres,redis,serve,temporal]'

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 apr && useradd --uid 10001 --gid apr --create-home apr
COPY --from=build /opt/apr /opt/apr
ENV PATH=/opt/apr/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/apr
EXPOSE 8008
# Alive is who still turns away everybody without a token.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8008, timeout=4); c.request('GET', '/v1/models'); raise SystemExit(c.getresponse().status != 401)"]
ENTRYPOINT ["apr"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8008"]
