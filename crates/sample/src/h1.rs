//! HTTP/1 connections.

use std::sync::Arc;

use http::{Request, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::answers::Backend;
use crate::body::BoxError;
use crate::identity::Session;
use crate::wire::{Interim, Wire};

/// Serves a connection until either side ends it.
pub(crate) async fn serve<S>(wire: Wire<S>, backend: &Arc<Backend>, session: &Session) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let interim = wire.interim();
    let service = service_fn(move |request: Request<Incoming>| {
        let interim = if request.version() == Version::HTTP_11 { interim.clone() } else { Interim::None };
        let request = request.map(|body| body.map_err(BoxError::from).boxed_unsync());
        backend.answer(request, session, interim)
    });
    // A request that arrived whole is noted and answered, even if its sender has closed its side since.
    let mut builder = http1::Builder::new();
    builder.half_close(true).header_read_timeout(None).serve_connection(TokioIo::new(wire), service).await
}
