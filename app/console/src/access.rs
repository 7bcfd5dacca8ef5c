use leptos::prelude::*;

use crate::document::{Assets, document, wordmark};

/// The shortest password that is taken, in characters.
const PASSWORD_LEN_MIN: u8 = 12;

/// Signing in with a password.
#[derive(Clone, Debug)]
pub struct SignInPage<'a> {
    /// What every page loads.
    pub assets: Assets<'a>,
    /// Address to which `email` and `password` are posted.
    pub action: &'a str,
    /// Further form fields, name and value.
    pub hidden: &'a [(&'a str, String)],
    /// What the email field begins with.
    pub email: &'a str,
    /// What was wrong with the last attempt.
    pub error: Option<&'a str>,
}

/// Setting a password, from a one-time link.
#[derive(Clone, Debug)]
pub struct SetPasswordPage<'a> {
    /// What every page loads.
    pub assets: Assets<'a>,
    /// Address to which `token`, `password` and `repeated` are posted.
    pub action: &'a str,
    /// Further form fields, name and value.
    pub hidden: &'a [(&'a str, String)],
    /// The token of the link.
    pub token: &'a str,
    /// Whose password it becomes.
    pub email: &'a str,
    /// What was wrong with the last attempt.
    pub error: Option<&'a str>,
}

/// The sign-in page as a whole HTML document.
pub fn sign_in(page: &SignInPage<'_>) -> String {
    let body = view! {
        <main class="panel">
            {wordmark()}
            <h1>"Sign in"</h1>
            {refusal(page.error)}
            <form method="post" action=page.action.to_owned()>
                {hidden(page.hidden)}
                <div class="field">
                    <label for="email">"Email"</label>
                    <input
                        id="email" name="email" type="email" value=page.email.to_owned()
                        autocomplete="username" required=true maxlength="254"
                    />
                </div>
                <div class="field">
                    <label for="password">"Password"</label>
                    <input
                        id="password" name="password" type="password"
                        autocomplete="current-password" required=true maxlength="256"
                    />
                </div>
                <button class="button">"Sign in"</button>
            </form>
            <p class="hint">
                "No password, or forgotten? Run " <code>"assent sign-in"</code>
                " on the server: it prints a one-time link."
            </p>
        </main>
    };
    document(page.assets, "Sign in", "console alone", body.into_any())
}

/// The page that sets a password, as a whole HTML document.
pub fn set_password(page: &SetPasswordPage<'_>) -> String {
    let body = view! {
        <main class="panel">
            {wordmark()}
            <h1>"Choose a password"</h1>
            <p>"You will sign in with this email and password from now on."</p>
            {refusal(page.error)}
            <form method="post" action=page.action.to_owned()>
                {hidden(page.hidden)}
                <input type="hidden" name="token" value=page.token.to_owned() />
                <div class="field">
                    <label for="email">"Email"</label>
                    <input
                        id="email" type="email" value=page.email.to_owned()
                        autocomplete="username" readonly=true
                    />
                </div>
                {new_password("password", "Password")}
                {new_password("repeated", "Password again")}
                <p class="hint" id="rule">
                    {format!("At least {PASSWORD_LEN_MIN} characters. A few unrelated words make a good one.")}
                </p>
                <button class="button">"Save and sign in"</button>
            </form>
        </main>
    };
    document(page.assets, "Choose a password", "console alone", body.into_any())
}

fn new_password(name: &'static str, label: &'static str) -> impl IntoView + use<> {
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input
                id=name name=name type="password" autocomplete="new-password" required=true
                minlength=PASSWORD_LEN_MIN.to_string() maxlength="256" aria-describedby="rule"
            />
        </div>
    }
}

fn refusal(error: Option<&str>) -> AnyView {
    error
        .map(|text| view! { <p class="refusal" role="alert">{text.to_owned()}</p> })
        .into_any()
}

fn hidden(fields: &[(&str, String)]) -> AnyView {
    fields
        .iter()
        .map(|(name, value)| {
            view! { <input type="hidden" name=(*name).to_owned() value=value.clone() /> }
        })
        .collect_view()
        .into_any()
}
