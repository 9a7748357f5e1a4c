//! Why a simulated tenant could not start or be changed.

/// Errors of the library, not of the simulated service.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The seed or fault file is wrong.
    #[error("seed: {0}")]
    Seed(String),
    /// Only this machine may talk to a simulated tenant.
    #[error("{0} is not a loopback address: a simulated tenant listens on this machine only")]
    NotLoopback(std::net::SocketAddr),
    /// The listener or the state directory failed.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A direct change named something that is not there.
    #[error("{0}")]
    NoSuch(String),
}

impl SimError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
