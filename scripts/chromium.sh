#!/usr/bin/env bash
# The browser tests need a Chromium. Says nothing if one is there; installs it where that needs no question; else says how.
set -euo pipefail

found() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then return 0; fi
  done
  for path in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" /Applications/Chromium.app/Contents/MacOS/Chromium; do
    if [ -x "$path" ]; then return 0; fi
  done
  return 1
}

if found; then exit 0; fi
if [ "$(uname)" = Darwin ]; then
  how="brew install --cask chromium"
  if command -v brew >/dev/null 2>&1; then $how || true; fi
else
  how="apt-get install chromium"
  if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then root=""; else root="sudo -n"; fi
    if $root true 2>/dev/null; then
      DEBIAN_FRONTEND=noninteractive $root apt-get install -y -q --no-install-recommends chromium \
        || { $root apt-get update -q && DEBIAN_FRONTEND=noninteractive $root apt-get install -y -q --no-install-recommends chromium; } \
        || true
    fi
  fi
fi
if found; then exit 0; fi
echo "The browser tests need Chromium and found none: run '$how' (or set CHROMIUM=/path/to/it), then 'make test' again." >&2
exit 1
