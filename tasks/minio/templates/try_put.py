import hashlib
import hmac
import http.client
import sys
import time

# Tries one put on a node that is cut off from the others, run on that node by `kbz drill minio`.
host, path = sys.argv[1:]
user, password = sys.stdin.read().splitlines()
body = b"-1"
stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
payload = hashlib.sha256(body).hexdigest()
names = "host;x-amz-content-sha256;x-amz-date"
lines = f"host:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{stamp}\n"
canonical = f"PUT\n{path}\n\n{lines}\n{names}\n{payload}"
scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
digest = hashlib.sha256(canonical.encode()).hexdigest()
key = f"AWS4{password}".encode()
for part in scope.split("/"):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
headers = {
    "Host": host,
    "x-amz-content-sha256": payload,
    "x-amz-date": stamp,
    "Authorization": f"AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={names}, Signature={signature}",
}
try:
    link = http.client.HTTPConnection(host, timeout=8)
    link.request("PUT", path, body, headers)
    answer = link.getresponse()
    # The mark is put together here, so that no error which repeats the program holds it.
    print("kbz" + "-accepted" if answer.status == 200 else f"refused: {answer.status}")
except OSError as error:
    print(error)
