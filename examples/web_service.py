"""A web service that answers photos, in twenty lines: see web_service.md.

pip install fastapi uvicorn
uvicorn web_service:app --app-dir examples
"""

from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from facegender import Predictor

MAX_BYTES = 20_000_000
predictor = Predictor(workers=1)
app = FastAPI()


@app.post("/faces")
async def faces(request: Request) -> dict:
    photo = b""
    async for part in request.stream():
        photo += part
        if len(photo) > MAX_BYTES:
            raise HTTPException(413, f"a photo may have {MAX_BYTES:,} bytes")
    (answer,) = await run_in_threadpool(predictor.predict, photo)
    if answer.error is not None:
        raise HTTPException(422, answer.error.message)
    return answer.to_json()
