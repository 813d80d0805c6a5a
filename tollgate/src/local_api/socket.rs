//! The socket in the data folder on which a running deployment takes administration requests.

use std::io;
use std::path::Path;

use axum::Router;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// Answers on the socket until cancelled, then removes it. The folder's lock must be held.
pub async fn serve(router: Router, path: &Path, cancel: CancellationToken) -> io::Result<()> {
    let listener = bind(path)?;
    let served = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned()).await;
    // Nobody can ask any more; should the file stay, the next start removes it.
    let _ = std::fs::remove_file(path);
    served
}

/// The folder is closed to others already; the socket is too, should someone open the folder.
fn bind(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
