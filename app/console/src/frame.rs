use leptos::prelude::*;

use crate::document::{Assets, document, wordmark};

/// What stands around every page of a site.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// What every page loads.
    pub assets: Assets<'a>,
    /// Who is signed in.
    pub email: &'a str,
    /// Address to which the sign-out form is posted.
    pub sign_out_action: &'a str,
    /// Token of the session, posted as `csrf` by the sign-out form.
    pub csrf: &'a str,
    /// The owner's sites, the shown one among them.
    pub sites: &'a [SiteLink],
    /// Name of the shown site.
    pub site_name: &'a str,
    /// Address of the shown site's rates, without a query; its other pages stand below it.
    pub address: &'a str,
}

/// A site to choose.
#[derive(Clone, Debug)]
pub struct SiteLink {
    /// Its name.
    pub name: String,
    /// Address of its rates.
    pub address: String,
    /// Whether it is the shown one.
    pub current: bool,
}

/// The pages of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Rates,
    ThirdParties,
    Notices,
    Records,
}

impl Page {
    const ALL: [Self; 4] = [Self::Rates, Self::ThirdParties, Self::Notices, Self::Records];

    const fn title(self) -> &'static str {
        match self {
            Self::Rates => "Consent rates",
            Self::ThirdParties => "Third parties",
            Self::Notices => "Notices",
            Self::Records => "Records",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Rates => "",
            Self::ThirdParties => "/third-parties",
            Self::Notices => "/notices",
            Self::Records => "/records",
        }
    }
}

/// A page of a site as a whole HTML document: `about` stands under its title after the site's name, `controls` beside.
pub(crate) fn framed(
    frame: &Frame<'_>,
    page: Page,
    about: &str,
    controls: AnyView,
    content: AnyView,
) -> String {
    let links = Page::ALL
        .map(|other| {
            view! {
                <li>
                    <a
                        href=format!("{}{}", frame.address, other.path())
                        aria-current=(other == page).then_some("page")
                    >
                        {other.title()}
                    </a>
                </li>
            }
        })
        .into_iter()
        .collect_view();
    let body = view! {
        {top_bar(frame)}
        <main>
            <nav class="pages" aria-label="Pages of this site"><ul>{links}</ul></nav>
            <div class="title">
                <div>
                    <h1>{page.title()}</h1>
                    <p class="period">{format!("{} · {about}", frame.site_name)}</p>
                </div>
                {controls}
            </div>
            {content}
        </main>
    };
    document(
        frame.assets,
        &format!("{} – {}", page.title(), frame.site_name),
        "console",
        body.into_any(),
    )
}

fn top_bar(frame: &Frame<'_>) -> AnyView {
    let sites = frame
        .sites
        .iter()
        .map(|site| {
            view! {
                <li>
                    <a href=site.address.clone() aria-current=site.current.then_some("page")>
                        {site.name.clone()}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <header class="top">
            <a class="home" href=frame.address.to_owned()>{wordmark()}</a>
            <details class="picker">
                <summary>
                    <span class="unseen">"Site: "</span>
                    <span class="name">{frame.site_name.to_owned()}</span>
                    <svg viewBox="0 0 24 24" width="16" height="16" aria-hidden="true" focusable="false">
                        <path
                            d="m6 9 6 6 6-6" fill="none" stroke="currentColor" stroke-width="2"
                            stroke-linecap="round" stroke-linejoin="round"
                        />
                    </svg>
                </summary>
                <nav aria-label="Sites"><ul>{sites}</ul></nav>
            </details>
            <form class="leave" method="post" action=frame.sign_out_action.to_owned()>
                <input type="hidden" name="csrf" value=frame.csrf.to_owned() />
                <span class="who">{frame.email.to_owned()}</span>
                <button class="button quiet">"Sign out"</button>
            </form>
        </header>
    }
    .into_any()
}
