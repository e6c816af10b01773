// Service worker for offline use. `songnet site` fills in the version and the files.

// Caches belong to the origin, which may have several pages.
const PREFIX = `songnet-${self.registration.scope}-`;
const VERSION = `${PREFIX}{{version}}`;
const FILES = {{files}};

self.addEventListener("install", (event) => {
  const fill = async () => {
    const cache = await caches.open(VERSION);
    await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
    await self.skipWaiting();
  };
  event.waitUntil(fill());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== VERSION);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

// The cache has one version of all files, and examples and other networks once they were requested.
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== location.origin) return;
  const answer = async () => {
    const cache = await caches.open(VERSION);
    const kept = await cache.match(event.request, { ignoreSearch: true });
    if (kept) return kept;
    const found = await fetch(event.request);
    if (found.ok && found.status === 200) await cache.put(event.request, found.clone());
    return found;
  };
  event.respondWith(answer());
});
