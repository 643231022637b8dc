import { createApp, h, ref } from "vue";

// Served by the app itself; a bundler leaves the addresses as they are (esbuild: --external:/api/components/*).
import "/api/components/update-banner.js";
import "/api/components/version-settings.js";

const App = {
  setup() {
    const dismissed = ref("");
    const banner = { command: "./upgrade.sh", "onUpdate-dismissed": (event) => { dismissed.value = event.detail.version; } };
    return () => [
      h("update-banner", banner),
      h("main", [
        h("h1", "Settings"),
        h("version-settings"),
        h("p", dismissed.value && `You will hear of the version after ${dismissed.value}.`),
      ]),
    ];
  },
};

createApp(App).mount("#root");
