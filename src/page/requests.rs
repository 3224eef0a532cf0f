//! What can be asked for, by which address.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{self, HeaderName},
    },
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{self, Sse},
    },
    routing::{get, post},
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;

use super::{Allowance, Desk, Feed, Reply, Wish, assets, guard::Guard};

/// What all requests share.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) guard: Arc<Guard>,
    pub(super) desk: Arc<dyn Desk>,
    pub(super) feed: Feed,
    pub(super) allowance: Allowance,
}

/// What every answer says to the browser: nothing is loaded from elsewhere, put into a frame, kept, or seen by others.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// How often a tab gets something, so that it is noticed if it has gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

pub(super) fn router(shared: Served) -> Router {
    Router::new()
        .route("/", get(async || asset("")))
        .route("/{file}", get(async |Path(file): Path<String>| asset(&file)))
        .route("/api/session", post(session))
        .route("/api/open", post(open))
        .route("/api/state", get(async || StatusCode::OK))
        .route("/api/events", get(events))
        .route("/api/answer", post(answer))
        .route("/api/back", post(back))
        .route("/api/file", post(file))
        .route("/api/explain", get(explain))
        .route("/api/backups", get(async |shared| ask(shared, Wish::Backups).await))
        .route("/api/doctor", post(async |shared| ask(shared, Wish::Doctor).await))
        .route("/api/report", get(async |shared| ask(shared, Wish::Report).await))
        .route("/api/backup", get(async |shared| ask(shared, Wish::Backup).await))
        .route("/api/batch", get(async |shared| ask(shared, Wish::Batch).await).post(start_batch))
        .route("/api/batch/stop", post(async |shared| ask(shared, Wish::StopBatch).await))
        .layer(middleware::from_fn_with_state(shared.clone(), guarded))
        .with_state(shared)
}

async fn guarded(State(shared): State<Served>, request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let admitted = shared.guard.admits(method, uri, headers);
    let mut response = match admitted.and_then(|()| shared.guard.recognises(uri, headers)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            log::debug!("page: {method} {} refused: {refusal:?}", uri.path());
            StatusCode::FORBIDDEN.into_response()
        }
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn asset(name: &str) -> Response {
    match assets::find(name) {
        Some((kind, bytes)) => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Reads this much of a request at most, for as long as it may take to arrive.
async fn body(shared: &Served, request: Request, most: usize) -> Result<Vec<u8>, StatusCode> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > most as u64) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let read = axum::body::to_bytes(request.into_body(), most);
    match tokio::time::timeout(shared.allowance.arrival, read).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// A request without a file.
async fn small<T: for<'a> Deserialize<'a>>(shared: &Served, request: Request) -> Result<T, StatusCode> {
    let bytes = body(shared, request, shared.allowance.request_bytes).await?;
    serde_json::from_slice(&bytes).map_err(|_| StatusCode::BAD_REQUEST)
}

/// Puts a wish to the desk, which may block.
async fn ask(State(shared): State<Served>, wish: Wish) -> Response {
    let asked = tokio::task::spawn_blocking(move || shared.desk.ask(wish)).await;
    asked.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), answered)
}

fn answered(reply: Reply) -> Response {
    let json = |status: StatusCode, value: &serde_json::Value| {
        (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
    };
    match reply {
        Reply::Done => StatusCode::NO_CONTENT.into_response(),
        Reply::Json(value) => json(StatusCode::OK, &value),
        Reply::Refused(why) => json(StatusCode::CONFLICT, &json!({ "error": why })),
        Reply::Failed(why) => json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "error": why })),
        Reply::Missing => StatusCode::NOT_FOUND.into_response(),
        Reply::File { name, bytes } => {
            let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
            let name = format!("attachment; filename=\"{plain}\"");
            (
                [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, name)],
                bytes,
            )
                .into_response()
        }
    }
}

/// Whether a character needs no quoting in a header.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// Does this with the body of a request, unless that is refused.
async fn with<T>(read: Result<T, StatusCode>, next: impl AsyncFnOnce(T) -> Response) -> Response {
    match read {
        Ok(read) => next(read).await,
        Err(status) => status.into_response(),
    }
}

async fn session(State(shared): State<Served>, request: Request) -> Response {
    let ticket = body(&shared, request, shared.allowance.request_bytes).await;
    with(ticket, async |ticket| match shared.guard.exchange(&ticket) {
        Some(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        None => StatusCode::FORBIDDEN.into_response(),
    })
    .await
}

/// Another start of this program wants to open this page.
async fn open(State(shared): State<Served>, request: Request) -> Response {
    let key = body(&shared, request, shared.allowance.request_bytes).await;
    with(key, async |key| match shared.guard.ticket() {
        Ok(ticket) if shared.guard.knows(&key) => ticket.text().to_owned().into_response(),
        _ => StatusCode::FORBIDDEN.into_response(),
    })
    .await
}

async fn events(State(shared): State<Served>) -> Response {
    let visit = shared.feed.visit();
    let messages = stream::unfold(visit, |mut visit| async {
        let message = match tokio::time::timeout(SIGN_OF_LIFE, visit.next()).await {
            Ok(text) => sse::Event::default().data(&*text?),
            Err(_) => sse::Event::default().comment(""),
        };
        Some((Ok::<_, Infallible>(message), visit))
    });
    Sse::new(messages).into_response()
}

#[derive(Deserialize)]
struct Answered {
    number: u64,
    answer: String,
}

async fn answer(State(shared): State<Served>, request: Request) -> Response {
    let read = small(&shared, request).await;
    with(read, async |Answered { number, answer }| ask(State(shared), Wish::Answer { number, answer }).await).await
}

#[derive(Deserialize)]
struct Shown {
    number: u64,
}

async fn back(State(shared): State<Served>, request: Request) -> Response {
    let read = small(&shared, request).await;
    with(read, async |Shown { number }| ask(State(shared), Wish::Back { number }).await).await
}

#[derive(Deserialize)]
struct FileQuery {
    name: String,
}

async fn file(State(shared): State<Served>, Query(FileQuery { name }): Query<FileQuery>, request: Request) -> Response {
    let read = body(&shared, request, shared.allowance.file_bytes).await;
    // Only what a person calls it: nothing is opened by this name.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    with(read, async |bytes| ask(State(shared), Wish::File { name, bytes }).await).await
}

#[derive(Deserialize)]
struct TopicQuery {
    topic: Option<String>,
}

async fn explain(State(shared): State<Served>, Query(TopicQuery { topic }): Query<TopicQuery>) -> Response {
    ask(State(shared), Wish::Explain { topic: topic.filter(|topic| !topic.is_empty()) }).await
}

async fn start_batch(State(shared): State<Served>, request: Request) -> Response {
    let read = small(&shared, request).await;
    with(read, async |how| ask(State(shared), Wish::StartBatch { how }).await).await
}
