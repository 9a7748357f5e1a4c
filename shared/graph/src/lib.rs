//! Microsoft Graph and the Microsoft identity platform over HTTP.
