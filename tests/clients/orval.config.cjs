module.exports = {
  stemsvc: {
    input: "./openapi.json",
    output: { mode: "single", client: "fetch", target: "./orval/client.ts", baseUrl: process.env.STEMSVC_URL },
  },
};
