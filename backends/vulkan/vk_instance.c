/* vk_instance.c - opens an instance of Vulkan, and brings the validation layer's messages to the
 * log. */
#include "vk_instance.h"

#include <string.h>

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

enum { LISTED_MAX = 128 }; /* layers or extensions that are looked at */

/* ---- Messages ---------------------------------------------------------------------------------- */

/** May come on any thread that calls Vulkan. */
static VkBool32 VKAPI_CALL take_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                        VkDebugUtilsMessageTypeFlagsEXT types,
                                        const VkDebugUtilsMessengerCallbackDataEXT *data,
                                        void *user) {
    (void)severity, (void)types;
    log_line(user, FM_LOG_ERROR, "vulkan validation: %s", data->pMessage);
    return VK_FALSE;
}

static VkDebugUtilsMessengerCreateInfoEXT messenger_info(const fm_log *log) {
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = take_message,
        .pUserData = (void *)log, /* read only */
    };
}

/* ---- What the loader offers -------------------------------------------------------------------- */

static bool has_layer(const vk_api *vk, const char *name) {
    VkLayerProperties layers[LISTED_MAX];
    uint32_t n = LISTED_MAX;
    if (vk->EnumerateInstanceLayerProperties(&n, layers) < 0) return false;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(layers[i].layerName, name) == 0) return true;
    return false;
}

/** Of the loader, or with `layer` of a layer. */
static bool has_extension(const vk_api *vk, const char *layer, const char *name) {
    VkExtensionProperties extensions[LISTED_MAX];
    uint32_t n = LISTED_MAX;
    if (vk->EnumerateInstanceExtensionProperties(layer, &n, extensions) < 0) return false;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(extensions[i].extensionName, name) == 0) return true;
    return false;
}

static fm_status check_loader(const vk_api *vk, bool validate, uint32_t *version, fm_error *err) {
    FM_TRY(
        vk_result_error(vk->EnumerateInstanceVersion(version), "vkEnumerateInstanceVersion", err));
    if (*version < VK_API_VERSION_1_2)
        return error_set(err, FM_ERR_UNSUPPORTED,
                         "the Vulkan loader knows version %u.%u, and 1.2 is needed: update it",
                         VK_API_VERSION_MAJOR(*version), VK_API_VERSION_MINOR(*version));
    if (!validate) return FM_OK;
    if (!has_layer(vk, VALIDATION_LAYER))
        return error_set(err, FM_ERR_UNSUPPORTED,
                         "the validation layer is not installed (package vulkan-validationlayers)");
    if (!has_extension(vk, NULL, VK_EXT_DEBUG_UTILS_EXTENSION_NAME) &&
        !has_extension(vk, VALIDATION_LAYER, VK_EXT_DEBUG_UTILS_EXTENSION_NAME))
        return error_set(err, FM_ERR_UNSUPPORTED, "the Vulkan loader gives no messages: update it");
    return FM_OK;
}

/* ---- Opening ----------------------------------------------------------------------------------- */

static VkResult create_instance(const vk_options *options, const fm_log *log, const vk_api *vk,
                                uint32_t version, VkInstance *out) {
    const char *extensions[3], *layer = VALIDATION_LAYER;
    uint32_t n_extensions = 0;
    bool is_portable = has_extension(vk, NULL, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    const VkValidationFeatureEnableEXT enabled =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    VkDebugUtilsMessengerCreateInfoEXT messages = messenger_info(log);
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .pNext = &messages,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = &enabled};
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pEngineName = "fathom",
        .apiVersion = version < VK_API_VERSION_1_3 ? VK_API_VERSION_1_2 : VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &application,
                                 .ppEnabledExtensionNames = extensions,
                                 .ppEnabledLayerNames = &layer};
    if (is_portable) {
        extensions[n_extensions++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        info.flags = VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    if (options->validate) {
        extensions[n_extensions++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
        if (has_extension(vk, VALIDATION_LAYER, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME)) {
            extensions[n_extensions++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
            info.pNext = &features;
        }
        info.enabledLayerCount = 1;
    }
    info.enabledExtensionCount = n_extensions;
    return vk->CreateInstance(&info, NULL, out);
}

fm_status vk_instance_open(const vk_options *options, const fm_log *log, vk_api *vk,
                           vk_instance *out, fm_error *err) {
    uint32_t version = 0;
    *out = (vk_instance){0};
    FM_TRY(vk_api_open_loader(vk, options->loader, err));
    FM_TRY(check_loader(vk, options->validate, &version, err));
    VkResult result = create_instance(options, log, vk, version, &out->handle);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return error_set(err, FM_ERR_UNSUPPORTED, "no driver for Vulkan is installed");
    FM_TRY(vk_result_error(result, "vkCreateInstance", err));
    fm_status status = vk_api_open_instance(vk, out->handle, err);
    if (status == FM_OK && options->validate) {
        VkDebugUtilsMessengerCreateInfoEXT info = messenger_info(log);
        result = vk->CreateDebugUtilsMessengerEXT(out->handle, &info, NULL, &out->messenger);
        status = vk_result_error(result, "vkCreateDebugUtilsMessengerEXT", err);
    }
    if (status != FM_OK) vk_instance_close(vk, out);
    return status;
}

void vk_instance_close(const vk_api *vk, vk_instance *instance) {
    if (instance->messenger)
        vk->DestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    if (instance->handle && vk->DestroyInstance) vk->DestroyInstance(instance->handle, NULL);
    *instance = (vk_instance){0};
}
