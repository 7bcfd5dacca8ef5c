// The site under test: its configuration and its pages with the snippets that owners paste.

const service = (id, category, name, items) => ({
  id,
  category,
  name,
  provider: `${name} Limited`,
  purpose: { en: `What ${name} is for.`, de: `Wozu ${name} dient.` },
  policy_url: 'https://vendor.example/privacy',
  hosts: [],
  items: items.map(([item, kind = 'cookie']) => ({ name: item, kind, purpose: 'Recognises the browser.', lifetime: '1 day' })),
});

/** A valid configuration of the site `shop` for pages under `origin`. */
export const config = (origin) => ({
  id: 'shop',
  name: 'The Shop',
  controller: 'The Shop Limited',
  origins: [origin],
  policy_url: `${origin}/policy`,
  languages: ['en', 'de', 'fr'],
  rules: [{ id: 'eu', regions: ['*'], model: 'opt-in', expiry_days: 180 }],
  services: [
    service('session', 'necessary', 'Session', [['session']]),
    service('google-analytics', 'performance', 'Google Analytics', [['_ga'], ['_ga_*']]),
    service('hotjar', 'performance', 'Hotjar', [['_hjSession*'], ['_hjViewportId', 'session-storage']]),
    service('youtube', 'functional', 'YouTube', []),
    service('tag-manager', 'targeting', 'Google Tag Manager', [['_gcl_au']]),
    service('meta-pixel', 'targeting', 'Meta Pixel', [['_fbp'], ['lastExternalReferrer', 'local-storage']]),
  ],
});

/** The vendors' snippets as they stand in their own documentation, marked. */
export const SNIPPETS = `
<script type="text/plain" data-category="performance" async src="https://www.googletagmanager.com/gtag/js?id=G-TEST1"></script>
<script type="text/plain" data-category="performance">
  window.dataLayer = window.dataLayer || [];
  function gtag(){dataLayer.push(arguments);}
  gtag('js', new Date());
  gtag('config', 'G-TEST1');
</script>
<script type="text/plain" data-category="targeting">(function(w,d,s,l,i){w[l]=w[l]||[];w[l].push({'gtm.start':
new Date().getTime(),event:'gtm.js'});var f=d.getElementsByTagName(s)[0],
j=d.createElement(s),dl=l!='dataLayer'?'&l='+l:'';j.async=true;j.src=
'https://www.googletagmanager.com/gtm.js?id='+i+dl;f.parentNode.insertBefore(j,f);
})(window,document,'script','dataLayer','GTM-TEST1');</script>
<script type="text/plain" data-category="targeting">
!function(f,b,e,v,n,t,s)
{if(f.fbq)return;n=f.fbq=function(){n.callMethod?
n.callMethod.apply(n,arguments):n.queue.push(arguments)};
if(!f._fbq)f._fbq=n;n.push=n;n.loaded=!0;n.version='2.0';
n.queue=[];t=b.createElement(e);t.async=!0;
t.src=v;s=b.getElementsByTagName(e)[0];
s.parentNode.insertBefore(t,s)}(window, document,'script',
'https://connect.facebook.net/en_US/fbevents.js');
fbq('init', '1');
fbq('track', 'PageView');
</script>
<script type="text/plain" data-category="performance">
(function(h,o,t,j,a,r){
    h.hj=h.hj||function(){(h.hj.q=h.hj.q||[]).push(arguments)};
    h._hjSettings={hjid:1,hjsv:6};
    a=o.getElementsByTagName('head')[0];
    r=o.createElement('script');r.async=1;
    r.src=t+h._hjSettings.hjid+j+h._hjSettings.hjsv;
    a.appendChild(r);
})(window,document,'https://static.hotjar.com/c/hotjar-','.js?sv=');
</script>`;

/** An embed and a picture, held until their category is granted. */
export const EMBEDS = `
<iframe title="Film" data-category="functional" data-src="https://www.youtube.com/embed/x1" width="560" height="315"></iframe>
<img alt="" data-category="targeting" data-src="https://www.facebook.com/tr?id=1&ev=PageView&noscript=1" width="1" height="1">`;

/** A page of the shop. `tag` is the loader's script tag. */
export const page = ({ tag, head = '', body = '' }) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The Shop</title>
<link rel="icon" href="data:,">
${tag}
<link rel="stylesheet" href="/shop.css">
${head}
</head>
<body>
<header><a id="first" href="/">The Shop</a></header>
<main><h1>Winter catalogue</h1><p>Everything for the season.</p>${body}</main>
<footer><a href="/policy">Cookie policy</a></footer>
</body>
</html>`;

/** The shop's own styles: big enough to betray a layout shift. */
export const CSS = `:root{color-scheme:light dark}body{font:16px/1.5 sans-serif;margin:0}main{padding:24px;min-height:150vh;max-width:100%}iframe{max-width:100%}a{color:#0645ad}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#9cf}}`;
