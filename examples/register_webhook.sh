#!/usr/bin/env bash
# Registers an endpoint for finished videos and uploads, and publishes one of each: two POSTs arrive at the URL.
#
#   TOKEN=stw_… ./examples/register_webhook.sh http://127.0.0.1:9001/hook a-secret-of-at-least-16
#
# STEWARD is where Steward runs (default http://localhost:8000). Plain http and loopback need WEBHOOK_ALLOW_HTTP and
# WEBHOOK_ALLOWED_NETWORKS on the server; without them use an https address.
set -euo pipefail

steward=${STEWARD:-http://localhost:8000}
url=${1:?the URL that shall receive the events}
secret=${2:?the secret that signs them}
auth=(-H "Authorization: Bearer ${TOKEN:?an API token: manage.py create_token USERNAME}" -H 'Content-Type: application/json')

echo "registering $url"
curl --fail-with-body -sS "${auth[@]}" "$steward/api/webhooks/register" \
  -d "{\"url\": \"$url\", \"events\": [\"video.completed\", \"youtube.uploaded\"], \"secret\": \"$secret\"}"

echo; echo "publishing one event of each"
curl --fail-with-body -sS "${auth[@]}" "$steward/api/v1/events/batch" -d '{"events": [
  {"type": "video.completed", "data": {"videoId": "cmgrzq18g0000uudla9n6anfv", "duration": 7100}},
  {"type": "youtube.uploaded", "data": {"videoId": "cmgrzq18g0000uudla9n6anfv", "channelName": "Main channel",
   "youtubeVideoId": "abc123def45", "youtubeUrl": "https://youtube.com/watch?v=abc123def45"}}]}'
echo
